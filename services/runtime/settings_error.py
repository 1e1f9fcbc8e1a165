"""What is wrong with settings, for the person who wrote them."""


class SettingsError(Exception):
    """The settings cannot be used; the text is one sentence for the person who wrote them."""
