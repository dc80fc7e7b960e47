"""Bare faster-whisper in a process of its own: what the system is compared with.

Reads one JSON request a line, `{"path": …, "batched": bool}`, and answers with one line each:
seconds, text and the number of words. The model is loaded once, before the first answer.
"""

import json
import sys
import time

from faster_whisper import BatchedInferencePipeline, WhisperModel

BATCH_SIZE = 8
BEAM_SIZE = 5


def main(model_folder: str, threads: int) -> None:
    """Serve until standard input ends."""
    model = WhisperModel(model_folder, device="cpu", compute_type="int8", cpu_threads=threads)
    batched = BatchedInferencePipeline(model)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        began = time.monotonic()
        options = {"language": "en", "word_timestamps": True, "beam_size": BEAM_SIZE}
        if request["batched"]:
            segments, _ = batched.transcribe(request["path"], batch_size=BATCH_SIZE, **options)
        else:
            segments, _ = model.transcribe(request["path"], **options)
        found = list(segments)
        answer = {
            "seconds": time.monotonic() - began,
            "text": "".join(segment.text for segment in found).strip(),
            "words": sum(len(segment.words or []) for segment in found),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
