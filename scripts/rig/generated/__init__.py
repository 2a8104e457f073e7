"""Sites as people have them: the output of generators with their themes, and a walk through what is served."""
