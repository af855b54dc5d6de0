"""Reads Berth's log from Kafka as docs/events.md describes it. Nothing of the server is used."""
