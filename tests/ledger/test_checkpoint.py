import base64

import pytest

from key2xs.ledger.checkpoint import (
    Checkpoint,
    CheckpointError,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from key2xs.ledger.merkle import EMPTY_ROOT
from key2xs.ledger.note import NoteError, Signer, sign_note

LOG = Signer.from_seed("key2xs.example/site", bytes(range(32)))
WITNESS = Signer.from_seed("witness.example", bytes(32))
HEAD = Checkpoint(LOG.name, 20_852_163, bytes(range(32)))


def test_the_text_is_origin_size_and_root() -> None:
    assert Checkpoint("log.example", 0, EMPTY_ROOT).text() == (
        "log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    )


def test_the_example_of_the_specification_reads() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    head = parse_checkpoint(text)
    assert (head.origin, head.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert head.text() == text


def test_a_signed_checkpoint_opens_with_the_logs_key_and_keeps_extensions() -> None:
    head = Checkpoint(LOG.name, 3, bytes(32), ("first", "second"))
    assert open_checkpoint(sign_checkpoint(head, LOG), LOG.verifier) == head


def test_a_cosigned_checkpoint_needs_the_logs_own_signature_too() -> None:
    both = sign_note(HEAD.text(), [LOG, WITNESS])
    assert open_checkpoint(both, LOG.verifier, [WITNESS.verifier]) == HEAD
    alone = sign_note(HEAD.text(), [WITNESS])
    with pytest.raises(CheckpointError, match="own key"):
        open_checkpoint(alone, LOG.verifier, [WITNESS.verifier])


def test_the_checkpoint_of_another_log_is_refused_even_if_this_key_signed_it() -> None:
    other = Checkpoint("key2xs.example/other", 3, bytes(32))
    with pytest.raises(CheckpointError, match=r"key2xs\.example/other"):
        open_checkpoint(sign_note(other.text(), [LOG]), LOG.verifier)
    with pytest.raises(CheckpointError):
        sign_checkpoint(other, LOG)


def test_a_forged_checkpoint_is_refused() -> None:
    forger = Signer.from_seed(LOG.name, bytes([9]) * 32)
    with pytest.raises(NoteError):
        open_checkpoint(sign_checkpoint(HEAD, forger), LOG.verifier)


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log.example\n3\n",
        f"log.example\n3\n{ROOT}",
        f"\n3\n{ROOT}\n",
        f"log.example\n03\n{ROOT}\n",
        f"log.example\n-3\n{ROOT}\n",
        f"log.example\n+3\n{ROOT}\n",
        f"log.example\n \u0663\n{ROOT}\n",
        f"log.example\n\u0663\n{ROOT}\n",  # an Arabic three is a digit, but not of ASCII
        f"log.example\n3\n{ROOT[:-4]}\n",
        f"log.example\n3\n{ROOT.replace('=', '')}\n",
        f"log.example\n3\n{ROOT[:-2]}B=\n",  # stray bits
        f"log.example\n3\n{ROOT}\n\n",
        f"log.example\n3\n{ROOT}\nextension\n\nmore\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "head",
    [
        Checkpoint("", 1, bytes(32)),
        Checkpoint("two\nlines", 1, bytes(32)),
        Checkpoint("log.example", -1, bytes(32)),
        Checkpoint("log.example", 1, bytes(31)),
        Checkpoint("log.example", 1, bytes(32), ("",)),
    ],
)
def test_a_checkpoint_that_cannot_be_written_is_refused(head: Checkpoint) -> None:
    with pytest.raises(CheckpointError):
        head.text()
