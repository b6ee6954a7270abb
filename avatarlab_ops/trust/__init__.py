"""Why a likeness and a voice may be used."""
