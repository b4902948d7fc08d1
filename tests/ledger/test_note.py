import base64

import pytest
from hypothesis import given, strategies as st

from key2xs.ledger.note import MAX_SIGNATURES, NoteError, Signer, Verifier, open_note, sign_note

# The example of the Go checksum database, whose key and notes are published with the format.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"

LOG = Signer.from_seed("key2xs.example/site", bytes(range(32)))
WITNESS = Signer.from_seed("witness.example", bytes(32))


def test_the_published_example_opens() -> None:
    note = (TEXT + "\n" + SIGNATURE).encode()
    opened = open_note(note, [Verifier.parse(VKEY)])
    assert opened.text == TEXT
    assert [verifier.name for verifier in opened.signed_by] == ["PeterNeumann"]


def test_a_vkey_reads_back_and_names_its_key_id() -> None:
    verifier = Verifier.parse(VKEY)
    assert verifier.vkey == VKEY
    assert verifier.key_id.hex() == "c74f20a3"
    assert Verifier.parse(LOG.verifier.vkey) == LOG.verifier
    assert Signer.from_seed(LOG.name, LOG.seed).verifier == LOG.verifier


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        VKEY.replace("c74f20a3", "c74f20a4"),
        VKEY.replace("PeterNeumann", "PeterNewman"),
        VKEY.replace("+ARpc", "+Arpc"),  # another key type
        VKEY[:-4],
        VKEY + "====",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_a_damaged_vkey_is_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        Verifier.parse(vkey)


def test_text_is_everything_before_the_last_blank_line() -> None:
    text = "one\n\n\ntwo\n"
    assert open_note(sign_note(text, [LOG]), [LOG.verifier]).text == text


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
def test_any_text_survives_signing_and_opening(line: str) -> None:
    text = f"{line}\n\n{line}\n"
    assert open_note(sign_note(text, [LOG, WITNESS]), [LOG.verifier]).text == text


def test_signatures_of_unknown_keys_are_ignored_even_under_a_known_name() -> None:
    stranger = Signer.from_seed(LOG.name, bytes([7]) * 32)
    note = sign_note(TEXT, [stranger, WITNESS, LOG])
    opened = open_note(note, [LOG.verifier])
    assert opened.signed_by == (LOG.verifier,)
    assert [line.name for line in opened.ignored] == [LOG.name, WITNESS.name]


def test_a_known_key_whose_signature_fails_spoils_the_whole_note() -> None:
    good = sign_note(TEXT, [LOG]).decode()
    wrong = WITNESS.verifier.key_id + bytes(64)
    note = f"{good}\u2014 {WITNESS.name} {base64.b64encode(wrong).decode()}\n".encode()
    assert open_note(note, [LOG.verifier]).text == TEXT
    with pytest.raises(NoteError, match=r"witness\.example is not valid"):
        open_note(note, [LOG.verifier, WITNESS.verifier])


def test_a_note_that_no_known_key_signed_is_refused() -> None:
    with pytest.raises(NoteError, match="no signature by a known key"):
        open_note(sign_note(TEXT, [WITNESS]), [LOG.verifier])
    with pytest.raises(NoteError):
        open_note(sign_note(TEXT, [LOG]), [])


@given(st.data())
def test_no_byte_of_the_text_can_be_changed(data: st.DataObject) -> None:
    note = bytearray(sign_note(TEXT, [LOG]))
    at = data.draw(st.integers(0, len(TEXT.encode()) - 1))
    note[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(NoteError):
        open_note(bytes(note), [LOG.verifier])


def test_sixteen_signatures_are_accepted_and_a_flood_is_not() -> None:
    signers = [Signer.from_seed(f"witness.example/{n}", bytes([n]) * 32) for n in range(MAX_SIGNATURES + 1)]
    opened = open_note(sign_note(TEXT, [LOG, *signers[:15]]), [LOG.verifier, signers[3].verifier])
    assert len(opened.signed_by) == 2
    with pytest.raises(NoteError):
        open_note(sign_note(TEXT, signers), [LOG.verifier, signers[0].verifier])


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"text\n",
        b"text\n\n",
        TEXT.encode(),
        TEXT.encode() + SIGNATURE.encode(),  # no blank line
        (TEXT + "\n" + SIGNATURE).encode()[:-1],  # no final newline
        ("tab\there\n\n" + SIGNATURE).encode(),
        (TEXT + "\n" + SIGNATURE.replace("\u2014", "-")).encode(),
        (TEXT + "\n" + SIGNATURE.replace(" PeterNeumann", "")).encode(),
        (TEXT + "\n" + SIGNATURE.replace("x08go", "x08g!")).encode(),
        (TEXT + "\n\u2014 PeterNeumann x08gow==\n").encode(),  # a key id and nothing else
        (TEXT + "\n" + SIGNATURE).encode() + b"\xff\n",
        (TEXT + "\n" + SIGNATURE + "more text\n").encode(),
    ],
)
def test_a_malformed_note_is_refused(note: bytes) -> None:
    with pytest.raises(NoteError):
        open_note(note, [Verifier.parse(VKEY)])


@pytest.mark.parametrize("name", ["", "two words", "a+b", "non\u00a0breaking", "line\n"])
def test_names_that_a_signature_line_cannot_carry_are_refused(name: str) -> None:
    with pytest.raises(NoteError):
        Signer.generate(name)


@pytest.mark.parametrize("text", ["", "no newline", "tab\there\n", "\r\n"])
def test_texts_that_a_note_cannot_carry_are_not_signed(text: str) -> None:
    with pytest.raises(NoteError):
        sign_note(text, [LOG])


def test_a_note_is_not_written_without_a_signature() -> None:
    with pytest.raises(NoteError):
        sign_note(TEXT, [])


def test_a_signer_does_not_print_its_key() -> None:
    signer = Signer.from_seed("log.example", b"very secret seed, 32 bytes long!")
    assert "very secret" not in repr(signer)
    assert repr(signer) == "Signer(name='log.example')"


def test_wrong_lengths_of_keys_are_refused() -> None:
    with pytest.raises(NoteError):
        Signer.from_seed("log.example", bytes(31))
    with pytest.raises(NoteError):
        Verifier("log.example", bytes(33))


def test_two_known_keys_under_one_name_and_id_are_ambiguous() -> None:
    class Colliding(Verifier):
        key_id = LOG.verifier.key_id  # A collision of four bytes, made by hand.

    other = Colliding(LOG.name, WITNESS.verifier.public_key)
    with pytest.raises(NoteError, match="share"):
        open_note(sign_note(TEXT, [LOG]), [LOG.verifier, other])
