"""Moving house: `crony export` and `crony import`, over the API or on a store."""
