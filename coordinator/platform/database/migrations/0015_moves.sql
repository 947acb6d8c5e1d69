-- A host's parts are counted at every acceptance, while a first plan has a hundred thousand cameras on their way.
create index moves_of_host on moves (host);
