"""The ground every other package stands on: errors, files, wire bytes, weights."""
