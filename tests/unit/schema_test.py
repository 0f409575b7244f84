#!/usr/bin/python3
"""Holds the JSON Schemas against the daemon's reader of settings, in both directions.

Both judge the documents in tests/data/config and must agree, and both must know the same keys. A
document's first lines may say "# expect: LINE:COLUMN: TEXT", an error of the reader, or
"# beyond the schema: REASON", where a schema cannot see what is wrong.

Called with the path of the program config_verdict.
"""

import json
import pathlib
import re
import subprocess
import sys
import unittest

import jsonschema
import yaml

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = SOURCE / "tests/data/config"
KINDS = {"daemon": "trimtab.schema.json", "stack": "stack.schema.json"}
EXAMPLES = {"daemon": "trimtab.yaml", "stack": "stacks.d/shop.yaml.example"}
VERDICT = sys.argv[1]


def schema_of(kind):
    return json.loads((SOURCE / "config" / KINDS[kind]).read_text())


def schema_errors(kind, text):
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        return [str(error)]
    if len(documents) > 1:
        return ["more than one document"]
    document = documents[0] if documents else None
    validator = jsonschema.Draft202012Validator(schema_of(kind))
    return [error.message for error in validator.iter_errors(document)]


def reader_errors(kind, files):
    command = [VERDICT, "check", kind, *map(str, files)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def reader_keys(kind):
    command = [VERDICT, "keys", kind]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def schema_keys(schema, prefix=""):
    for name, below in schema.get("properties", {}).items():
        path = f"{prefix}.{name}" if prefix else name
        yield path
        yield from schema_keys(below, path)
        yield from schema_keys(below.get("items", {}), path + "[]")


def at(schema, key):
    for part in key.replace("[]", ".[]").split("."):
        schema = schema["items"] if part == "[]" else schema["properties"][part]
    return schema


def values(document, prefix=""):
    """Every key of a document with its value; a list of mappings counts as its items."""
    for name, value in document.items():
        path = f"{prefix}.{name}" if prefix else name
        yield path, value
        if isinstance(value, dict):
            yield from values(value, path)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    yield from values(item, path + "[]")


def documents_of(verdict, kind):
    files = sorted((DOCUMENTS / verdict / kind).glob("*.yaml"))
    assert files, f"no documents for {verdict} {kind}"
    return zip(files, reader_errors(kind, files))


def complete_example(kind):
    """The example with its commented-out keys switched on."""
    names = {key.rsplit(".", 1)[-1] for key in reader_keys(kind)}
    lines = []
    for line in (SOURCE / "config" / EXAMPLES[kind]).read_text().splitlines():
        found = re.match(r"( *)# ( *(?:- )?([a-z_-]+):(?: .*)?)$", line)
        lines.append(found[1] + found[2] if found and found[3] in names else line)
    return yaml.safe_load("\n".join(lines))


class SchemaTest(unittest.TestCase):
    maxDiff = None

    def test_schemas_are_schemas(self):
        for kind in KINDS:
            jsonschema.Draft202012Validator.check_schema(schema_of(kind))

    def test_both_know_the_same_keys(self):
        for kind in KINDS:
            self.assertEqual(sorted(reader_keys(kind)), sorted(schema_keys(schema_of(kind))), kind)

    def test_every_key_is_described_and_nothing_else_allowed(self):
        for kind in KINDS:
            schema = schema_of(kind)
            for key in schema_keys(schema):
                self.assertTrue(at(schema, key).get("description"), key)
            for part in [schema, *(at(schema, key) for key in schema_keys(schema))]:
                for level in (part, part.get("items", {})):
                    if "properties" in level:
                        self.assertIs(level.get("additionalProperties"), False, level)

    def test_both_take_valid_documents(self):
        for kind in KINDS:
            for file, errors in documents_of("valid", kind):
                with self.subTest(file=file.name):
                    self.assertEqual(errors, [])
                    self.assertEqual(schema_errors(kind, file.read_text()), [])

    def test_both_refuse_invalid_documents(self):
        for kind in KINDS:
            for file, errors in documents_of("invalid", kind):
                with self.subTest(file=file.name):
                    text = file.read_text()
                    expected = re.findall(r"^# expect: (.*)$", text, re.MULTILINE)
                    self.assertTrue(expected, "the document says no error to expect")
                    self.assertEqual(errors, expected)
                    beyond = "# beyond the schema: " in text
                    self.assertEqual(not schema_errors(kind, text), beyond)

    def test_no_error_quotes_a_secret(self):
        for kind in KINDS:
            for file, errors in documents_of("invalid", kind):
                self.assertNotIn("hunter2", "".join(errors), file.name)

    def test_examples_show_every_key_with_its_default(self):
        for kind in KINDS:
            schema = schema_of(kind)
            example = complete_example(kind)
            jsonschema.Draft202012Validator(schema).validate(example)
            shown = dict(values(example))
            self.assertEqual(sorted(shown), sorted(schema_keys(schema)), kind)
            # Where the default is a list that is empty, the example shows one that is not.
            for key, value in shown.items():
                default = at(schema, key).get("default")
                if default is not None and default != []:
                    self.assertEqual(value, default, key)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
