"""The words that every domain may import: reasons, identities, the catalog, the clock; pure."""
