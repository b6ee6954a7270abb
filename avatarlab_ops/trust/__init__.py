"""Why a likeness and a voice may be used, and what a published file can prove."""
