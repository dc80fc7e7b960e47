"""`python -m dalston.cli`: the `dalston` command."""

from dalston.cli import main

if __name__ == "__main__":
    main()
