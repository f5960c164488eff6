"""The folder of a run: made, claimed, summarised, found, listed and compared. Any root node may be a run."""

# What other packages may import: the names of each file.
OFFERS = {
    "branches": "branch carry leave",
    "differences": "ABSENT Compare Values diff differences record_of text texts values values_in",
    "flat": "flat",
    "folder": (
        "OUTPUTS again claimed command_line create folder_of fresh has_field log name_of near refuse_taken "
        "tell write_json"
    ),
    "folders": "below find names to_train",
    "listing": "describe show standing",
    "metrics": "Record read records",
    "progress": "OWN Progress goal last_lines progress summary value_of whole_summary",
    "recorded": "Recorded goal_among numbers",
    "shown": "drawable listed log_scale number whole_ticks",
    "state_files": "DamagedError LONGEST built clear content make_folder make_way parsed read set_aside",
    "status": "RunStatus is_finished",
    "terminated": "TerminatedError",
    "watched": "Watched of_less",
    "where": "field_of names names_in says_where usual",
}
