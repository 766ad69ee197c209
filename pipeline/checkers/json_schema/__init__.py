"""`json-schema`: a document held against a schema, or a schema against documents. checker.py declares it; child.py runs
inside the sandbox, with the library jsonschema."""
