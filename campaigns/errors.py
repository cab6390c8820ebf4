"""What can go wrong between a campaign and an inbox."""


class CampaignsError(Exception):
    """Base of every error of this package."""


class CampaignUnknown(CampaignsError):
    """There is no campaign of this name."""


class CampaignInvalid(CampaignsError):
    """A campaign definition that cannot be used; says which field and why."""


class RunUnknown(CampaignsError):
    """There is no run of this number."""


class WrongState(CampaignsError):
    """The campaign or run is not in a state in which this can be done."""


class SettingsInvalid(CampaignsError):
    """The settings file or the environment holds something we cannot use, or lacks what sending needs."""


class BytesChanged(CampaignsError):
    """A mail rendered again has other bytes than the plan froze. Nothing was handed over."""


class TransportUnavailable(CampaignsError):
    """The mail server or folder cannot be reached now; the messages stay planned."""
