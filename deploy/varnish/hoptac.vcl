# Varnish 6.0 or later in front of Hoptac, with the module xkey (Debian: varnish and varnish-modules).
#
# The server needs HOPTAC_SHARED_MAX_AGE, and HOPTAC_TRUSTED_PROXIES with the address of Varnish. `hoptac purge URL` deletes
# from Varnish what has changed; URL is the address of Varnish.
vcl 4.1;

import std;
import xkey;

backend default {
    .host = "127.0.0.1";
    .port = "8000";
    .first_byte_timeout = 90s;
}

# Where `hoptac purge` runs.
acl purgers {
    "127.0.0.1";
    "::1";
}

sub vcl_recv {
    if (req.method == "PURGE") {
        if (client.ip !~ purgers) {
            return (synth(403, "Forbidden"));
        }
        if (!req.http.Surrogate-Key) {
            return (synth(400, "Surrogate-Key is missing"));
        }
        set req.http.X-Deleted = xkey.purge(req.http.Surrogate-Key);
        return (synth(200, "Deleted " + req.http.X-Deleted));
    }
    # Writes, and QUERY. Requests with a key, those for a state that the cache may not have, and those that wait for Changes.
    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
    if (req.http.Authorization || req.http.Hoptac-At-Least || req.url ~ "[?&]wait=") {
        return (pass);
    }
    return (hash);
}

sub vcl_hash {
    hash_data(req.http.X-Forwarded-Proto); # pages contain their own address
}

sub vcl_backend_response {
    if (beresp.http.Surrogate-Control !~ "max-age=[0-9]") {
        set beresp.uncacheable = true; # it may change without being deleted
        set beresp.ttl = 120s;
        return (deliver);
    }
    set beresp.ttl = std.duration(regsub(beresp.http.Surrogate-Control, ".*max-age=([0-9]+).*", "\1s"), 0s);
    set beresp.grace = std.duration(
        regsub(beresp.http.Surrogate-Control, ".*stale-while-revalidate=([0-9]+).*", "\1s"), 0s);
    set beresp.keep = 0s;
    set beresp.http.xkey = beresp.http.Surrogate-Key;
    # They belong to one request.
    unset beresp.http.RateLimit;
    unset beresp.http.RateLimit-Policy;
    unset beresp.http.X-Request-ID;
    return (deliver);
}

sub vcl_deliver {
    # A write that has passed through Varnish. What others write, `hoptac purge` deletes.
    if (resp.http.Cache-Group-Invalidation) {
        set req.http.X-Deleted = xkey.purge(regsuball(resp.http.Cache-Group-Invalidation, {"""}, ""));
        unset resp.http.Cache-Group-Invalidation;
    }
    # For the cache only. Other caches follow Cache-Control.
    unset resp.http.xkey;
    unset resp.http.Surrogate-Key;
    unset resp.http.Surrogate-Control;
    unset resp.http.Cache-Tag;
    unset resp.http.Cache-Groups;
    unset resp.http.CDN-Cache-Control;
}
