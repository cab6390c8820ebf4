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


class EditedMeanwhile(WrongState):
    """Somebody else has changed the campaign since this change was begun; nothing of it was saved."""

    def __init__(self, campaign: str, seen: int, now: int) -> None:
        super().__init__(
            f"campaign {campaign} was changed meanwhile (version {seen} is now {now}); nothing was saved: "
            "look at what it is now, then change it again"
        )
        self.campaign, self.seen, self.now = campaign, seen, now


class NotApproved(WrongState):
    """The settings ask for an approval, and there is none for what would be sent."""


class SettingsInvalid(CampaignsError):
    """The settings file or the environment holds something we cannot use, or lacks what sending needs."""


class BytesChanged(CampaignsError):
    """A mail rendered again has other bytes than the plan froze. Nothing was handed over."""


class TransportUnavailable(CampaignsError):
    """The mail server or folder cannot be reached now; the messages stay planned."""
