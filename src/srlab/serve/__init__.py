"""``srlab serve``: a page to try networks on, and to watch studies. Needs the extra ``web``.

`running` starts the server and ends it. `guard` lets requests in, `app` answers them, `desk` has the queue
and the results, `helper` is a process that works (`worker` is what runs in it), `studies` reads what can be
chosen, `pages` makes HTML.
"""
