"""Note what loading the model took: pipeline/models/loading.py."""

from pipeline.models.loading import note_loading

note_loading()
