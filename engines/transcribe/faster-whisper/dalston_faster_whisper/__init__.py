"""Transcription with Whisper on CTranslate2: windows as long as the speech in them, decoded in batches.

`Transcriber` is the entry; the other modules are its steps in the order of the data's way: `speech`
(where there is any), `windows` (what is decoded at once), `encoder`, `decoder` with `guard`, `words`,
`coverage` (speech without words is decoded again), `segments`. `sequential` stands beside them.
"""
