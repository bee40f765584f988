# placeholder until the tooling slice lands in this same session
