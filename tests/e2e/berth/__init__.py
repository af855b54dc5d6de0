"""An independent client of Berth, written from docs/protocol.md and docs/openapi.yaml alone."""
