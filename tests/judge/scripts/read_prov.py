"""Print what the package prov makes of a PROV-JSON file: the number of its records by kind."""

import collections
import json
import sys

import prov.model

document = prov.model.ProvDocument.deserialize(sys.argv[1], format="json").unified()
counts = collections.Counter(type(record).__name__ for record in document.get_records())
again = prov.model.ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
print(json.dumps({"counts": counts, "same": again == document}))
