// SPDX-License-Identifier: BSD-3-Clause
// What Java's users do with spymemcached. Spy ADDRESS ascii|binary

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import net.spy.memcached.AddrUtil;
import net.spy.memcached.BinaryConnectionFactory;
import net.spy.memcached.CASResponse;
import net.spy.memcached.CASValue;
import net.spy.memcached.DefaultConnectionFactory;
import net.spy.memcached.MemcachedClient;
import net.spy.memcached.internal.OperationFuture;

public class Spy {
    private static int checks;

    private static void check(String name, boolean condition) {
        if (!condition) {
            System.err.println(name + " is wrong");
            System.exit(1);
        }
        checks++;
    }

    private static boolean done(OperationFuture<Boolean> future)
            throws Exception {
        return future.get(20, TimeUnit.SECONDS);
    }

    public static void main(String[] args) {
        try {
            run(args);
            System.exit(0);
        } catch (Exception error) {
            error.printStackTrace();
            System.exit(1); // Its threads would keep the program alive.
        }
    }

    private static void run(String[] args) throws Exception {
        boolean binary = args[1].equals("binary");
        MemcachedClient c = new MemcachedClient(
            binary ? new BinaryConnectionFactory()
                   : new DefaultConnectionFactory(),
            AddrUtil.getAddresses(args[0]));

        check("flush", done(c.flush()));
        check("miss", c.get("user") == null);
        ArrayList<String> list = new ArrayList<>(List.of("a", "b"));
        check("set", done(c.set("user", 600, list)));
        check("get", list.equals(c.get("user")));
        byte[] large = new byte[900_000];
        new java.util.Random(1).nextBytes(large);
        check("large", done(c.set("large", 0, large)));
        check("large back", java.util.Arrays.equals(
            large, (byte[]) c.get("large")));
        check("add", done(c.add("lock", 10, "x")));
        check("add twice", !done(c.add("lock", 10, "y")));
        check("replace", done(c.replace("lock", 10, "z")));
        check("replace none", !done(c.replace("none", 10, "z")));
        check("delete", done(c.delete("lock")));
        check("delete twice", !done(c.delete("lock")));
        CASValue<Object> cas = c.gets("user");
        check("cas", c.cas("user", cas.getCas(), "new") == CASResponse.OK);
        check("cas late",
              c.cas("user", cas.getCas(), "newer") == CASResponse.EXISTS);
        check("cas none", c.cas("none", 5, "x") == CASResponse.NOT_FOUND);
        check("incr new", c.incr("n", 1, 10) == 10);
        check("incr", c.incr("n", 5) == 15);
        check("decr", c.decr("n", 20) == 0);
        check("incr none", c.incr("missing", 1) == -1);
        check("number", done(c.set("text", 0, "b")));
        check("append", done(c.append("text", "c")));
        check("prepend", done(c.prepend("text", "a")));
        check("joined", "abc".equals(c.get("text")));
        List<String> keys = new ArrayList<>();
        List<OperationFuture<Boolean>> sets = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            keys.add("k" + i);
            if (i < 200)
                sets.add(c.set("k" + i, 0, i));
        }
        for (OperationFuture<Boolean> set : sets)
            check("set of many", done(set));
        Map<String, Object> found = c.getBulk(keys);
        check("bulk", found.size() == 200 && found.get("k199").equals(199));
        check("touch", done(c.touch("k1", 500)));
        if (binary)
            check("gat", c.getAndTouch("k2", 500).getValue().equals(2));
        if (!binary) // There -1 is a time far ahead.
            check("expired", done(c.set("gone", -1, "x")) &&
                             c.get("gone") == null);
        Map<String, String> stats = c.getStats().values().iterator().next();
        check("stats", Integer.parseInt(stats.get("curr_items")) > 200);
        check("stats items",
              !c.getStats("items").values().iterator().next().isEmpty());
        String version = c.getVersions().values().iterator().next();
        check("version", version.matches("\\d+\\.\\d+.*"));
        check("left", done(c.set("left-behind", 600, "by spymemcached")));
        System.out.println(checks + " checks");
        c.shutdown(10, TimeUnit.SECONDS);
    }
}
