"""What clients may send, as pydantic models: one module per noun."""
