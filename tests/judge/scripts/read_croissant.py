"""Print what mlcroissant makes of a dataset's croissant.json: warnings, records of every set, the first picture."""

import json
import logging
import sys

import mlcroissant

logging.disable(logging.WARNING)
folder = sys.argv[1]
dataset = mlcroissant.Dataset(jsonld=f"{folder}/croissant.json")
said = {"name": dataset.metadata.name, "warnings": sorted(dataset.metadata.ctx.issues.warnings), "sets": {}}
for record_set in dataset.metadata.record_sets:
    try:
        records = list(dataset.records(record_set.uuid))
    except Exception as error:
        chain, text = error, ""
        while chain is not None:
            text, chain = f"{text}{chain} ", chain.__cause__ or chain.__context__
        said["sets"][record_set.uuid] = {"refused": text}
        continue
    first = {}
    for key, value in records[0].items() if records else []:
        if hasattr(value, "size") and hasattr(value, "mode"):
            value = list(value.size)
        elif isinstance(value, bytes):
            value = value.decode()
        first[key] = value
    said["sets"][record_set.uuid] = {"count": len(records), "first": first}
print(json.dumps(said, default=str))
