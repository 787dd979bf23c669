"""The operations of the API: parse, call one use case, render."""
