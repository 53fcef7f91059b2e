"""The chain of the ledger: every kind of planted tampering is named, and what cannot be seen needs a kept copy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.dataset.__main__ import main
from engine.dataset.manifest import manifest_bytes, read_manifest
from engine.lineage.ledger import GENESIS, LEDGER, append, entry_hash, read_entries
from engine.lineage.tamper import check_head, read_chain
from tests.engine.toy_dataset import make_toy, toy_plan

EVENTS = 6


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Return a ledger of six lines."""
    for number in range(EVENTS):
        append(tmp_path, "admit", number=number)
    return tmp_path / LEDGER


def read_lines(ledger: Path) -> list[bytes]:
    return ledger.read_bytes().splitlines()


def faults_of(lines: list[bytes]) -> list[str]:
    """Return what is said, without the file's name."""
    return [fault.removeprefix(f"{LEDGER} ") for fault in read_chain(b"".join(line + b"\n" for line in lines)).faults]


def forged(previous: str, event: str = "forged") -> bytes:
    plain = {"time": "2026-01-01", "who": "eve", "event": event, "facts": {}, "previous": previous}
    return json.dumps({**plain, "hash": entry_hash(plain)}).encode()


def test_an_untouched_ledger_has_no_faults_and_names_its_last_hash(ledger: Path) -> None:
    """The head is the hash of what `append` returned last."""
    last = append(ledger.parent.parent, "admit", number=EVENTS)
    chain = read_chain(ledger.read_bytes())
    assert (chain.faults, chain.head, len(chain.lines)) == ((), last.hash, EVENTS + 1)
    assert read_chain(b"").head == GENESIS


def test_a_line_longer_than_what_is_read_at_once_is_followed(tmp_path: Path) -> None:
    """The chain goes on through lines of 10 and of 200,000 letters."""
    for length in (10, 200_000, 200_000, 10, 10):
        append(tmp_path, "admit", text="x" * length)
    chain = read_chain((tmp_path / LEDGER).read_bytes())
    assert (chain.faults, len(chain.lines)) == ((), 5)


def _edit(lines: list[bytes]) -> list[bytes]:
    lines[2] = lines[2].replace(b'"number":2', b'"number":9')
    return lines


def _edit_and_seal(lines: list[bytes]) -> list[bytes]:
    plain = json.loads(lines[2]) | {"facts": {"number": 9}}
    lines[2] = json.dumps(plain | {"hash": entry_hash(plain)}).encode()
    return lines


def _insert(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], forged(json.loads(lines[2])["hash"]), *lines[3:]]


DROPPED = "does not follow: the line that it names before it was dropped or made anew"
KINDS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], list[str]]] = {
    "edited": (_edit, ["line 3 was changed: it does not have the hash that it states"]),
    "edited, with its hash made anew": (_edit_and_seal, [f"line 4 {DROPPED}"]),
    "dropped": (lambda lines: lines[:3] + lines[4:], [f"line 4 {DROPPED}"]),
    "first dropped": (lambda lines: lines[1:], [f"line 1 {DROPPED}"]),
    "swapped": (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], ["line 4 was moved"]),
    "moved to the end": (lambda lines: [*lines[:1], *lines[2:], lines[1]], ["line 6 was moved"]),
    "inserted": (_insert, ["line 4 was added: another line follows the one before it"]),
    "repeated": (lambda lines: [*lines, lines[1]], ["line 7 was added: it is a copy of line 2"]),
    "a second first line": (
        lambda lines: [*lines, forged(GENESIS)],
        ["line 7 was added: the ledger has a first line already"],
    ),
    "appended with a made-up past": (lambda lines: [*lines, forged("ab" * 32)], [f"line 7 {DROPPED}"]),
    "something else": (
        lambda lines: [*lines[:2], b'{"a": 1}', *lines[2:]],
        ["line 3 is not a line of a ledger: damaged, or written by something else"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_tampering_is_named_by_its_line(ledger: Path, kind: str) -> None:
    """Planted one at a time."""
    tamper, expected = KINDS[kind]
    assert faults_of(tamper(read_lines(ledger))) == expected


def test_a_line_that_is_cut_short_is_a_fault_and_nothing_is_appended_to_it(ledger: Path) -> None:
    """As after a crash in the middle of a write, which `append` cannot make but a disk can."""
    ledger.write_bytes(ledger.read_bytes()[:-20])
    (fault,) = read_chain(ledger.read_bytes()).faults
    assert fault.startswith(f"{LEDGER} line 6 is not a line of a ledger")
    ledger.write_bytes(b"\n".join(read_lines(ledger)[:-1]))
    assert read_chain(ledger.read_bytes()).faults == (f"{LEDGER} line 5 is cut short",)


def test_what_only_a_kept_hash_can_show(ledger: Path) -> None:
    """Lines cut off at the end and a whole new chain fit themselves; the kept hash is missing from both."""
    lines = read_lines(ledger)
    head = json.loads(lines[-1])["hash"]
    cut = read_chain(b"".join(line + b"\n" for line in lines[:-2]))
    assert cut.faults == ()
    fault, _ = check_head(cut, head)
    assert fault is not None
    assert "it was cut off before that line, or made anew" in fault
    whole = read_chain(ledger.read_bytes())
    assert check_head(whole, head) == (None, "the kept hash is that of line 6; 0 lines were added since")
    assert check_head(whole, cut.head) == (None, "the kept hash is that of line 4; 2 lines were added since")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    make_toy(tmp_path / "toy", range(3), toy_plan())
    return tmp_path / "toy"


def test_completion_is_noted_with_the_content_root(dataset: Path) -> None:
    """One line, however often the command is run again."""
    make_toy(dataset, range(3), toy_plan())
    manifest = read_manifest(dataset / "manifest.json")
    (entry,) = read_entries(dataset)
    assert (entry.event, entry.facts) == (
        "complete",
        {"dataset_id": manifest.dataset_id, "content_root": manifest.content_root, "worlds": 3},
    )


def test_tamper_check_says_what_to_keep_and_that_only_kept_it_is_evidence(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Last hash and root are printed; with them it is compared, exit code 0."""
    assert main(["tamper-check", str(dataset)]) == 0
    said = capsys.readouterr().out
    (entry,) = read_entries(dataset)
    root = read_manifest(dataset / "manifest.json").content_root
    assert entry.hash in said
    assert root in said
    assert "evidence only if the last hash or the content root is kept elsewhere" in said
    assert main(["tamper-check", str(dataset), "--head", entry.hash, "--root", root, "--deep"]) == 0
    assert "the kept hash is that of line 1; 0 lines were added since" in capsys.readouterr().out
    assert main(["tamper-check", str(dataset), "--root", "ab" * 32]) == 1
    assert main(["tamper-check", str(dataset), "--head", "ab" * 32]) == 1
    assert main(["tamper-check", str(dataset), "--head", "no hash"]) == 2
    assert main(["tamper-check", str(dataset.parent)]) == 2


def _first(dataset: Path, pattern: str) -> Path:
    return sorted(dataset.glob(pattern))[0]


@pytest.mark.parametrize("pattern", ["images/*/*", "index/frames.parquet", "card.md"])
def test_a_flipped_bit_is_found_by_hashing_every_file(
    dataset: Path, capsys: pytest.CaptureFixture[str], pattern: str
) -> None:
    """Sizes stay, so that nothing is found without --deep."""
    path = _first(dataset, pattern)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert main(["tamper-check", str(dataset)]) == 0
    assert main(["tamper-check", str(dataset), "--deep"]) == 1
    assert f"{path.relative_to(dataset).as_posix()} was changed" in capsys.readouterr().out


def test_a_file_that_is_gone_or_longer_is_found_by_size(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without hashing anything but the checksums."""
    with _first(dataset, "images/*/*").open("ab") as file:
        file.write(b"x")
    assert main(["tamper-check", str(dataset)]) == 1
    assert "its content_root is not that of the checksums and sizes" in capsys.readouterr().out
    _first(dataset, "images/*/*").unlink()
    assert main(["tamper-check", str(dataset)]) == 1
    assert "000000.jpg is missing" in capsys.readouterr().out


def test_a_forged_manifest_contradicts_the_ledger(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sealed with a hash of its own, as the product would."""
    path = dataset / "manifest.json"
    manifest = read_manifest(path)
    object.__setattr__(manifest, "content_root", "ab" * 32)
    path.write_bytes(manifest_bytes(manifest))
    assert main(["tamper-check", str(dataset)]) == 1
    said = capsys.readouterr().out
    assert "its content_root is abababababab, the ledger noted" in said
    assert "its dataset_id does not follow from its other ids" in said
    path.write_bytes(path.read_bytes().replace(b"abab", b"acab"))
    assert main(["tamper-check", str(dataset)]) == 1
    assert "does not have the hash that it states" in capsys.readouterr().out
