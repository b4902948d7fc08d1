"""The floor every room stands on: clocks, ids, errors, settings, database, vault and the process loops."""
