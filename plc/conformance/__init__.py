"""The conformance suite: does a PLC fulfil the duties of docs/plc-interface.md? It commands no line."""
