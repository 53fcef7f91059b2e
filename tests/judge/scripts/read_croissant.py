"""Print what mlcroissant makes of a dataset's croissant.json: warnings, records of every set, the first picture."""

import json
import logging
import sys

import mlcroissant


def plain(value):
    """Return a value as JSON has it: text instead of bytes, the size of a picture."""
    if hasattr(value, "size") and hasattr(value, "mode"):
        return list(value.size)
    return value.decode() if isinstance(value, bytes) else value


logging.disable(logging.WARNING)
folder = sys.argv[1]
dataset = mlcroissant.Dataset(jsonld=f"{folder}/croissant.json")
said = {"name": dataset.metadata.name, "warnings": sorted(dataset.metadata.ctx.issues.warnings), "sets": {}}
for record_set in dataset.metadata.record_sets:
    try:
        records = list(dataset.records(record_set.uuid))
    except mlcroissant.GenerationError as error:
        causes, text = error, ""
        while causes is not None:
            text, causes = f"{text}{causes} ", causes.__cause__ or causes.__context__
        said["sets"][record_set.uuid] = {"refused": text}
        continue
    first = {key: plain(value) for record in records[:1] for key, value in record.items()}
    said["sets"][record_set.uuid] = {"count": len(records), "first": first}
print(json.dumps(said, default=str))
