"""Language codes: ISO 639-1 inside, ISO 639-1 or 639-3 in requests, ISO 639-3 in ElevenLabs answers."""

_PAIRS = """
    aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze ba:bak
    be:bel bg:bul bi:bis bm:bam bn:ben bo:bod br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre
    cs:ces cu:chu cv:chv cy:cym da:dan de:deu dv:div dz:dzo ee:ewe el:ell en:eng eo:epo es:spa
    et:est eu:eus fa:fas ff:ful fi:fin fj:fij fo:fao fr:fra fy:fry ga:gle gd:gla gl:glg gn:grn
    gu:guj gv:glv ha:hau he:heb hi:hin ho:hmo hr:hrv ht:hat hu:hun hy:hye hz:her ia:ina id:ind
    ie:ile ig:ibo ii:iii ik:ipk io:ido is:isl it:ita iu:iku ja:jpn jv:jav ka:kat kg:kon ki:kik
    kj:kua kk:kaz kl:kal km:khm kn:kan ko:kor kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir la:lat
    lb:ltz lg:lug li:lim ln:lin lo:lao lt:lit lu:lub lv:lav mg:mlg mh:mah mi:mri mk:mkd ml:mal
    mn:mon mr:mar ms:msa mt:mlt my:mya na:nau nb:nob nd:nde ne:nep ng:ndo nl:nld nn:nno no:nor
    nr:nbl nv:nav ny:nya oc:oci oj:oji om:orm or:ori os:oss pa:pan pi:pli pl:pol ps:pus pt:por
    qu:que rm:roh rn:run ro:ron ru:rus rw:kin sa:san sc:srd sd:snd se:sme sg:sag si:sin sk:slk
    sl:slv sm:smo sn:sna so:som sq:sqi sr:srp ss:ssw st:sot su:sun sv:swe sw:swa ta:tam te:tel
    tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi ty:tah ug:uig
    uk:ukr ur:urd uz:uzb ve:ven vi:vie vo:vol wa:wln wo:wol xh:xho yi:yid yo:yor za:zha zh:zho
    zu:zul
"""

_ALONE = """
    arz ast ceb ckb fil haw hif kab kam kea kri luo mai mag mni nso pag pap sat scn szl tpi umb vec war yue
"""
"""Codes of 639-3 that have none of 639-1, of languages that speech models are known to offer."""

_SAME = {"cmn": "zh", "arb": "ar", "pes": "fa", "swh": "sw", "zsm": "ms", "khk": "mn", "jw": "jv"}
"""Members of macrolanguages that models know under the macrolanguage's code, and Whisper's own code."""

_TO_ISO_639_3 = dict(pair.split(":") for pair in _PAIRS.split())
_TO_ISO_639_1 = {three: two for two, three in _TO_ISO_639_3.items()}
_KNOWN_ALONE = frozenset(_ALONE.split())

UNDETERMINED = "und"


def normalise(code: str) -> str | None:
    """Give the code that engines know, 639-1 where there is one; None for what is no language code.

    A region or script after a hyphen is dropped.
    """
    base = _base(code)
    if base in _TO_ISO_639_3 or base in _KNOWN_ALONE:
        return base
    return _TO_ISO_639_1.get(base)


def iso_639_3(code: str | None) -> str:
    """Give the three-letter code; `und` when the language is not known."""
    if code is None:
        return UNDETERMINED
    base = _base(code)
    return _TO_ISO_639_3.get(base, base)


def _base(code: str) -> str:
    base = code.strip().lower().replace("_", "-").partition("-")[0]
    return _SAME.get(base, base)
