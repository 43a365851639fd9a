"""Write a digest of each code file's meaning for DVC, which itself compares only bytes.

    python -m tools.write_code_digests

dvc.yaml runs it as a stage, the only one that an edited comment runs again.
"""

from pipeline.publishing.code_digests import write_digests

if __name__ == "__main__":
    write_digests()
