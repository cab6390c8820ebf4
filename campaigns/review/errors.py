"""What can go wrong with snapshots."""

from campaigns.errors import CampaignsError


class SnapshotUnreadable(CampaignsError):
    """A folder that holds no whole snapshot, or one that cannot be compared or written."""
