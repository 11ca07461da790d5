"""What the OpenAPI schema says of our own authenticators and fields."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "tradeops.core.users.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema) -> dict:
        return {"type": "http", "scheme": "bearer", "description": "An API token, made on the desk under Settings."}


class DemoScheme(OpenApiAuthenticationExtension):
    target_class = "tradeops.core.users.authentication.DemoAuthentication"
    name = []  # no scheme of its own

    def get_security_requirement(self, auto_schema) -> dict:
        return {}  # in demo mode this machine needs no credentials

    def get_security_definition(self, auto_schema) -> list:
        return []


class ExactDecimalSchema(OpenApiSerializerFieldExtension):
    target_class = "tradeops.core.api.ExactDecimalField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema, direction: str) -> dict:
        text = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["150.25"]}
        if direction == "response":
            return text
        return {"oneOf": [{"type": "number"}, text]}
