"""What a new enterprise starts with: its two accounts, empty."""

from __future__ import annotations

from callcenter.tenancy.actions import on_enterprise_opened
from smsgateway.purse.bookings import open_accounts

on_enterprise_opened(open_accounts)
