"""Loads the JSON Schemas of commands' answers to `--output json`."""

import json

from drillbook.core.application import ROOT

FOLDER = ROOT / "reports" / "schema"


def schema(command):
    return json.loads((FOLDER / f"{command}-1.schema.json").read_text())
