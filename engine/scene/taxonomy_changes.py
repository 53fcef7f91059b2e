"""From one version of a taxonomy to the next: what may change, what must be recorded, and how old labels are read.

The id of a class is its identity in every mask and label file, so ids are never given twice: a class keeps its id under
a new name, and one that is gone keeps it in `retired`. All else that happened stands in `changes`, oldest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.scene.taxonomy import Change, ObjectClass, Taxonomy


@dataclass(frozen=True)
class Finding:
    """What is wrong with a class."""

    key: str
    id: int  # 0: it has none
    what: str
    repair: str

    def __str__(self) -> str:
        number = f" (id {self.id})" if self.id else ""
        return f"class {self.key}{number} {self.what}; {self.repair}"


@dataclass(frozen=True)
class ClassStep:
    """What becomes of the labels of a class of an older version."""

    into: tuple[str, ...]  # its classes now: one, several after a split, none where it was retired
    reason: str = ""  # why nobody can tell without a rule; "": nothing is lost

    @property
    def needs_rule(self) -> bool:
        """Whether somebody must decide."""
        return bool(self.reason)


def check_taxonomy(taxonomy: Taxonomy) -> tuple[Finding, ...]:
    """Return what is wrong with a taxonomy that is to be used: parents, definitions, aliases."""
    by_key = {c.key: c for c in taxonomy.classes}
    found = []
    for c in taxonomy.classes:
        if c.parent and c.parent not in by_key:
            found.append(
                Finding(c.key, c.id, f"has the parent {c.parent}, which is no class", "add it, or clear parent")
            )
        elif (circle := _circle(c, by_key)) is not None:
            found.append(Finding(c.key, c.id, f"descends from itself: {circle}", "give one of them another parent"))
        if not c.definition.strip():
            found.append(Finding(c.key, c.id, "has no definition", "say in one sentence what is labelled"))
    owners: dict[str, str] = {}
    for c in taxonomy.classes:
        for alias in c.aliases:
            other = owners.setdefault(alias, c.key)
            if alias in by_key or other != c.key:
                of = alias if alias in by_key else other
                found.append(Finding(c.key, c.id, f"has the alias {alias}, which is that of class {of}", "remove one"))
    return tuple(found)


def _circle(c: ObjectClass, by_key: Mapping[str, ObjectClass]) -> str | None:
    """Return the way from a class back to itself, if there is one."""
    way = [c.key]
    while (parent := by_key[way[-1]].parent) in by_key and parent not in way[1:]:
        way.append(parent)
        if parent == c.key:
            return " -> ".join(way)
    return None


def changes_since(old: Taxonomy, new: Taxonomy) -> tuple[Change, ...]:
    """Return the changes of `new` that come after `old`: from the first one that says it is from that version."""
    first = next((at for at, change in enumerate(new.changes) if change.since == old.version), len(new.changes))
    return new.changes[first:]


def check_successor(old: Taxonomy, new: Taxonomy) -> tuple[Finding, ...]:
    """Return why `new` is no later version of `old`; nothing if it is, or if their classes are the same.

    Findings name the class, its id and the repair: a class that changed its key without a recorded rename, split or
    merge; an id that was used before; a class that is gone and not retired; one that is new or has another definition
    and nobody says so.
    """
    changes = changes_since(old, new)
    if same_classes(old, new) and not changes:
        return ()
    found = []
    if old.version == new.version:
        found.append(Finding("-", 0, f"of version {old.version} differ between the two", 'write another "version"'))
    walked, wrong = _walk(old, changes)
    found += [*wrong, *_check_ids(old, walked, new), *_check_retired(walked, new)]
    return (*found, *_check_words(old, walked, new))


def same_classes(one: Taxonomy, other: Taxonomy) -> bool:
    """Return whether two taxonomies mean the same labels: ids, keys, definitions, keypoints and smallest areas."""
    return [_meaning(c) for c in one.classes] == [_meaning(c) for c in other.classes]


def _meaning(c: ObjectClass) -> ObjectClass:
    return replace(c, name="", parent="", aliases=(), skeleton=(), sigmas=())


@dataclass
class _Walked:
    """Where the classes of a version are after its changes."""

    ids: dict[str, int]  # of classes that are still there, by the key they have then
    retired: dict[int, str]
    added: set[str]  # keys that changes bring in
    redefined: set[str]


def _walk(old: Taxonomy, changes: tuple[Change, ...]) -> tuple[_Walked, list[Finding]]:
    walked = _Walked({c.key: c.id for c in old.classes}, {c.id: c.key for c in old.retired}, set(), set())
    wrong = []
    for change in changes:
        key, op = change.key, change.op
        if op == "add":
            walked.added.add(key)
            continue
        if key in walked.added:  # it came after `old`
            if op != "redefine" and key not in change.into:
                walked.added.discard(key)
            walked.added |= {into for into in change.into if into not in walked.ids}
            continue
        if key not in walked.ids:
            what = f"is not in version {change.since}, from which changes {op} it"
            wrong.append(Finding(key, 0, what, "name a class that is there, or remove the change"))
            continue
        if op == "redefine":
            walked.redefined.add(key)
        elif op == "rename":
            walked.ids[change.into[0]] = walked.ids.pop(key)
            walked.redefined |= {change.into[0]} if key in walked.redefined else set()
        elif op == "split" and key in change.into:  # it goes on with less
            walked.redefined.add(key)
        else:
            walked.retired[walked.ids.pop(key)] = key
        if op in ("split", "merge"):
            walked.added |= {into for into in change.into if into not in walked.ids}
            walked.redefined |= set(change.into)  # a merge may widen what it goes into
    return walked, wrong


def _check_ids(old: Taxonomy, walked: _Walked, new: Taxonomy) -> list[Finding]:
    by_key, by_id = {c.key: c for c in new.classes}, {c.id: c.key for c in new.classes}
    used = {c.id: c.key for c in old.classes} | {c.id: c.key for c in old.retired} | walked.retired
    say = f'{{"from": "{old.version}", "op": '
    found = []
    for key, number in sorted(walked.ids.items(), key=lambda pair: pair[1]):
        now = by_id.get(number)
        if key in by_key:
            if by_key[key].id != number:
                what = f"has id {by_key[key].id} now, ids stay with their class"
                found.append(Finding(key, number, what, f"give it id {number} again"))
        elif now is not None and now not in walked.added:
            repair = f'record {say}"rename", "class": "{key}", "into": ["{now}"]}}, or a split or merge with new ids'
            found.append(
                Finding(key, number, f"is called {now} in version {new.version}, and no change says so", repair)
            )
        elif now is None:
            repair = f'record {say}"retire", "class": "{key}"}} and add {{"id": {number}, "key": "{key}"}} to "retired"'
            found.append(Finding(key, number, f"is gone from version {new.version}, and no change says so", repair))
    free = 1 + max([0, *used, *by_id, *(c.id for c in new.retired)])
    for c in new.classes:
        if c.key in walked.ids:
            continue
        if c.id in used and walked.ids.get(used[c.id]) != c.id:
            found.append(Finding(c.key, c.id, f"has the id of {used[c.id]}, ids are never used again", f"take {free}"))
        elif c.id in used and c.key in walked.added:
            found.append(Finding(c.key, c.id, f"has the id of {used[c.id]}", f"take a new one, such as {free}"))
        elif c.id not in used and c.key not in walked.added:
            found.append(
                Finding(c.key, c.id, "is new, and no change says so", f'record {say}"add", "class": "{c.key}"}}')
            )
    return found


def _check_retired(walked: _Walked, new: Taxonomy) -> list[Finding]:
    there, used = {c.id: c.key for c in new.retired}, {c.id for c in new.classes}
    return [
        Finding(key, number, 'is not in "retired", so that its id may be given again', _keep(number, key))
        for number, key in sorted(walked.retired.items())
        if there.get(number) != key and number not in used
    ]


def _keep(number: int, key: str) -> str:
    return f'add {{"id": {number}, "key": "{key}"}} there'


def _check_words(old: Taxonomy, walked: _Walked, new: Taxonomy) -> list[Finding]:
    """Return classes that are others in substance under the same key."""
    before, found = {c.id: c for c in old.classes}, []
    for c in new.classes:
        number = walked.ids.get(c.key)
        if number != c.id or c.key in walked.redefined:
            continue
        was = before[number]
        for what in ("definition", "keypoints", "min_area_px"):
            if getattr(was, what) != getattr(c, what):
                say = f'record {{"from": "{old.version}", "op": "redefine", "class": "{c.key}"}}'
                found.append(Finding(c.key, c.id, f"has another {what}, and no change says so", say))
                break
    return found


def steps_between(old: Taxonomy, new: Taxonomy) -> dict[str, ClassStep]:
    """Return what becomes of every class of `old` in `new`, a later version of it."""
    steps = {c.key: ClassStep((c.key,)) for c in old.classes}
    for change in changes_since(old, new):
        for key, step in steps.items():
            if change.key in step.into:
                steps[key] = _after(step, change)
    return steps


def _after(step: ClassStep, change: Change) -> ClassStep:
    into = tuple(dict.fromkeys(
        name for key in step.into for name in (change.into if key == change.key and change.op != "redefine" else (key,))
    ))  # fmt: skip
    since = f"version {change.since}"
    reasons = {
        "split": f"{change.key} was split into {', '.join(change.into)} after {since}",
        "retire": f"{change.key} was retired after {since}",
        "redefine": f"{change.key} has had another definition since {since}",
    }
    if change.op == "add":
        return step
    return ClassStep(into, step.reason or reasons.get(change.op, ""))


def mapping_between(
    old: Taxonomy, new: Taxonomy, rules: Mapping[str, str | None] | None = None
) -> tuple[dict[str, str | None], tuple[Finding, ...]]:
    """Return which class of `new` every label of `old` becomes, and the classes that need a rule and have none.

    Args:
        old: Of the labels.
        new: A later version; see `check_successor`.
        rules: For classes where labels would have to be looked at again: one class of `new`, or None to drop them.
    """
    given, steps = dict(rules or {}), steps_between(old, new)
    now = {c.key: c for c in new.classes}
    mapping: dict[str, str | None] = {}
    found = []
    for c in old.classes:
        step = steps[c.key]
        if c.key in given:
            mapping[c.key] = given[c.key]
        elif step.needs_rule or len(step.into) != 1 or step.into[0] not in now:
            choices = " or ".join([*(f"--rule {c.key}={into}" for into in step.into), f"--rule {c.key}=null to drop"])
            found.append(
                Finding(c.key, c.id, f"cannot be converted: {step.reason or 'it is gone'}", f"decide: {choices}")
            )
        elif now[step.into[0]].keypoints != c.keypoints:
            what = f"becomes {step.into[0]}, which has other keypoints"
            found.append(Finding(c.key, c.id, what, f"drop it: --rule {c.key}=null"))
        else:
            mapping[c.key] = step.into[0]
    return mapping, tuple(found)
