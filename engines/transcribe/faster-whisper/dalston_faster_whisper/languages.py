"""Language tags as Whisper writes them: two letters where there are such, without region."""

from collections.abc import Collection

_THREE_LETTERS = {
    line[:3]: line[4:]
    for line in """
afr af|alb sq|sqi sq|amh am|ara ar|arm hy|hye hy|asm as|aze az|bak ba|baq eu|eus eu|bel be|ben bn
bod bo|tib bo|bos bs|bre br|bul bg|bur my|mya my|cat ca|ces cs|cze cs|chi zh|zho zh|cmn zh|cym cy
wel cy|dan da|deu de|ger de|dut nl|nld nl|ell el|gre el|eng en|est et|fao fo|fas fa|per fa|fin fi
fra fr|fre fr|geo ka|kat ka|glg gl|guj gu|hat ht|hau ha|heb he|hin hi|hrv hr|hun hu|ice is|isl is
ind id|ita it|jav jw|jpn ja|kan kn|kaz kk|khm km|kor ko|lao lo|lat la|lav lv|lin ln|lit lt|ltz lb
mac mk|mkd mk|mal ml|mao mi|mri mi|mar mr|may ms|msa ms|zsm ms|mlg mg|mlt mt|mon mn|nep ne|nno nn
nob no|nor no|oci oc|pan pa|pol pl|por pt|pus ps|ron ro|rum ro|rus ru|san sa|sin si|slk sk|slo sk
slv sl|sna sn|snd sd|som so|spa es|srp sr|sun su|swa sw|swe sv|tam ta|tat tt|tel te|tgk tg|fil tl
tgl tl|tha th|tuk tk|tur tr|ukr uk|urd ur|uzb uz|vie vi|yid yi|yor yo|hbs sr
""".replace("\n", "|")
    .strip("|")
    .split("|")
}
"""ISO 639-2 and 639-3 codes of the languages that Whisper knows; Cantonese is `yue` there too."""

_RENAMED = {"jv": "jw", "nb": "no", "fil": "tl", "iw": "he", "in": "id"}


def whisper_language(tag: str, known: Collection[str]) -> str | None:
    """Give the model's code for a language tag (`en`, `eng`, `en-GB`); None when it has none."""
    code = tag.lower().split("-")[0]
    for candidate in (code, _RENAMED.get(code), _THREE_LETTERS.get(code)):
        if candidate is not None and candidate in known:
            return candidate
    return None
