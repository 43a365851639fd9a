"""The tuned model as a file for llama.cpp and what stands on it."""
