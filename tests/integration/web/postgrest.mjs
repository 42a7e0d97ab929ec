// @supabase/postgrest-js, as it is, asks the Elute at argv[2]; prints what it found.
import { PostgrestClient } from "@supabase/postgrest-js";

const users = () => new PostgrestClient(process.argv[2]).from("user_summary");
const found = {
  filtered: await users()
    .select("user_id,name,mean:avg_experiment_run_time::text")
    .gt("user_id", 2).lte("user_id", 9).neq("user_id", 5)
    .not("compound_id", "is", null)
    .ilike("email", "%@lab.example")
    .order("name", { ascending: false, nullsFirst: false }),
  either: await users()
    .select("user_id")
    .or("user_id.eq.1,and(user_id.gt.12,experiment_count.gte.0)")
    .likeAnyOf("name", ["A%", "B%", "%"]),
  quoted: await users().select("user_id").in("name", ["Chen Wei", 'a,"b"']),
  matched: await users().select("user_id").match({ user_id: 3, name: "Chen Wei" }),
  page: await users().select("*", { count: "exact" }).order("user_id").range(5, 9),
  head: await users().select("*", { count: "exact", head: true }),
  single: await users().select("name").eq("user_id", 3).single(),
  none: await users().select("name").eq("user_id", 99).maybeSingle(),
  two: await users().select("name").single(),
  stripped: await users().select("user_id,compound_id").is("compound_id", null).stripNulls(),
  csv: await users().select("user_id,name").limit(1).csv(),
  unknown: await users().select("nothing"),
};
console.log(JSON.stringify(found));
