"""What OPTIONS says of an address: its name, its words and its forms. What may be sent there, the schema says."""

from rest_framework.metadata import SimpleMetadata


class Description(SimpleMetadata):
    def determine_actions(self, request, view) -> dict:
        return {}
