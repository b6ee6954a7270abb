"""The Studio: pages under /avatarlab/ where people make, watch and manage videos."""
