"""The kinds of task: what a lease asks for, as something that can be executed."""
