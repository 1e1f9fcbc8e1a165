"""Where the processes run, which transfer records lie in their folder, and which region a key names."""

from pathlib import Path

from services.cli.doctor.data import REGION, of_key, of_region
from services.cli.doctor.finding import Finding, fail
from services.contract.transfer import TransferRecord
from services.kernel.api_keys import region_of
from services.runtime.settings import ProcessSettings, environment, load_settings
from services.runtime.settings_error import SettingsError
from services.runtime.transfers.folder import State, read_folder
from services.runtime.transfers.people import People


def region_findings(file: Path, api_key: str, now_seconds: float) -> list[Finding]:
    """Returns the findings about the home region of a settings file, and about a key where there is one."""
    try:
        settings = load_settings(ProcessSettings, section="doctor", path=file, environ=environment())
        records = {} if settings.home.is_eu else _approved(settings)
    except (SettingsError, OSError):
        step = "look at region, catalog and transfers in the settings"
        return [fail(REGION, "region", "The region, or its transfer records, cannot be read.", step)]
    found = [of_region(settings.home, records, now_seconds)]
    if api_key:
        found += of_key(region_of(api_key), settings.home, settings.catalog)
    return found


def _approved(settings: ProcessSettings) -> dict[int, TransferRecord]:
    folder = settings.transfers.folder
    if folder is None:
        return {}
    entries = read_folder(folder, People.of(settings.transfers))
    return {
        number: entry.record
        for number, entry in entries.items()
        if entry.state is State.APPROVED and entry.record is not None
    }
