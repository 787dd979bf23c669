"""What clients get: values of the model as JSON, one module per noun."""
