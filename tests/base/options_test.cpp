#include "base/options.hpp"

#include <cmath>
#include <cstdio>
#include <fstream>

#include "base/deck.hpp"
#include "base/list_text.hpp"
#include "base/random.hpp"
#include "support/expect_error.hpp"

namespace precis {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

enum class Shape { linear, cosine };

struct Options {
  std::int64_t seed = 1;
  std::string run;
  std::int64_t steps = 10;
  double learning_rate = 6.35e-5;
  double missing_end_value = -1;
  double beta2 = 0.999;
  bool dry_run = false;
  bool skip_bad = false;
  Shape schedule = Shape::cosine;
  std::string keep = "last";
  std::vector<std::string> train;
  OptionTable table;

  Options() {
    table.add("seed", &seed, {.meaning = "seed of all random numbers"});
    table.add("train.steps", &steps, {.unit = "steps", .meaning = "length", .maximum = 1e6});
    table.add("train.learning_rate", &learning_rate, {.meaning = "peak", .above = 0.0});
    table.add("train.beta2", &beta2, {.meaning = "decay of squares", .below = 1.0});
    table.add("train.schedule", &schedule, {{"linear", Shape::linear}, {"cosine", Shape::cosine}},
              {.meaning = "shape"});
    table.add("train.keep", &keep, {.meaning = "which model", .choices = {"last", "best"}});
    table.add("data.train", &train, {.meaning = "training rows"});
    table.add("data.skip_bad", &skip_bad, {.meaning = "skip bad rows"});
    table.add("ppo.missing_end_value", &missing_end_value,
              {.meaning = "score without end token", .minimum = unbounded});
    table.add("run", &run, {.meaning = "run folder"});
    table.add("dry_run", &dry_run, {.meaning = "print the layout only", .launch = true});
  }

  void parse(const Words& words) { table.parse(words); }
  std::string usage_message(const Words& words) {
    return message_of<UsageError>([&] { table.parse(words); });
  }
};

/// A deck in a file of its own, removed at the end.
class DeckFile {
 public:
  explicit DeckFile(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }
  ~DeckFile() { std::remove(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = testing::TempDir() + "options_test_" +
                      testing::UnitTest::GetInstance()->current_test_info()->name() + ".cfg";
};

TEST(Options, DefaultsStayWithoutArguments) {
  Options o;
  o.parse({});
  EXPECT_EQ(o.steps, 10);
  EXPECT_EQ(o.schedule, Shape::cosine);
  EXPECT_FALSE(o.table.given("train.steps"));
}

TEST(Options, CommandLineForms) {
  Options o;
  o.parse({"--seed", "3", "--train.steps=20", "--train.learning_rate", "1e-3", "--data.train",
           "a.jsonl, b.jsonl", "--ppo.missing_end_value", "-1.5", "--train.schedule", "linear",
           "--train.keep=best", "--run", "a b=c"});
  EXPECT_EQ(o.seed, 3);
  EXPECT_EQ(o.steps, 20);
  EXPECT_EQ(o.learning_rate, 1e-3);
  EXPECT_EQ(o.train, (Words{"a.jsonl", "b.jsonl"}));
  EXPECT_EQ(o.missing_end_value, -1.5);
  EXPECT_EQ(o.schedule, Shape::linear);
  EXPECT_EQ(o.keep, "best");
  EXPECT_EQ(o.run, "a b=c");
  EXPECT_TRUE(o.table.given("train.steps"));
}

TEST(Options, BooleansMayStandAlone) {
  Options o;
  o.parse({"--data.skip_bad", "--seed", "2", "--dry_run"});
  EXPECT_TRUE(o.skip_bad);
  EXPECT_TRUE(o.dry_run);
  EXPECT_EQ(o.seed, 2);
  Options off;
  off.skip_bad = true;
  off.parse({"--data.skip_bad", "false", "--dry_run=true"});
  EXPECT_FALSE(off.skip_bad);
  EXPECT_TRUE(off.dry_run);
  EXPECT_THAT(Options{}.usage_message({"--dry_run", "maybe"}),
              AllOf(HasSubstr("--dry_run is 'maybe'"), HasSubstr("true or false")));
}

TEST(Options, WrongValuesNameKeyValueAndExpectation) {
  const std::vector<std::pair<Words, std::string>> wrong{
      {{"--train.steps", "abc"}, "an integer from 0 to 1000000"},
      {{"--train.steps", "3.5"}, "an integer"},
      {{"--train.steps", "-1"}, "an integer"},
      {{"--train.steps", "2000000"}, "1000000"},
      {{"--train.steps", "99999999999999999999"}, "an integer"},
      {{"--train.steps="}, "an integer"},
      {{"--train.steps", " 3"}, "an integer"},
      {{"--train.learning_rate", "nan"}, "finite number greater than 0"},
      {{"--train.learning_rate", "inf"}, "finite"},
      {{"--train.learning_rate", "-inf"}, "finite"},
      {{"--train.learning_rate", "-1e-3"}, "greater than 0"},
      {{"--train.learning_rate", "0"}, "greater than 0"},
      {{"--train.learning_rate", "1e-3x"}, "finite number"},
      {{"--train.learning_rate", "1e999"}, "finite number"},
      {{"--train.beta2", "1"}, "less than 1"},
      {{"--train.schedule", "cos"}, "one of: linear, cosine"},
      {{"--train.keep", "first"}, "one of: last, best"},
      {{"--data.train", "a,,b"}, "comma list"},
      {{"--data.skip_bad", "1"}, "true or false"},
  };
  for (const auto& [words, expected] : wrong) {
    const std::string key = words[0].substr(0, words[0].find('='));
    EXPECT_THAT(Options{}.usage_message(words),
                AllOf(HasSubstr(key), HasSubstr("is '"), HasSubstr(expected)));
  }
}

TEST(Options, UnknownKeysNameWhatIsClose) {
  EXPECT_THAT(Options{}.usage_message({"--train.step", "3"}),
              AllOf(HasSubstr("--train.step "), HasSubstr("mean --train.steps?")));
  EXPECT_THAT(Options{}.usage_message({"--learning_rate=3"}),
              HasSubstr("mean --train.learning_rate?"));
  EXPECT_THAT(Options{}.usage_message({"--ru", "x"}), HasSubstr("mean --run?"));
  EXPECT_THAT(Options{}.usage_message({"--hlep"}), HasSubstr("mean --help?"));
  EXPECT_EQ(Options{}.usage_message({"--train.lr", "1"}),
            "--train.lr is not a key of this command; --help lists its keys.");
  EXPECT_THAT(Options{}.usage_message({"--train.schedule", "Cosin"}),
              HasSubstr("expected one of: linear, cosine. Did you mean cosine?"));
  EXPECT_THAT(Options{}.usage_message({"--train.schedule", "step"}), Not(HasSubstr("mean")));
}

TEST(Options, OtherMistakesOnTheCommandLine) {
  EXPECT_THAT(Options{}.usage_message({"--seed", "--dry_run"}), HasSubstr("--seed has no value"));
  EXPECT_THAT(Options{}.usage_message({"--seed"}), HasSubstr("--seed has no value"));
  EXPECT_THAT(Options{}.usage_message({"-s", "1"}), HasSubstr("-s is not an option"));
  EXPECT_THAT(Options{}.usage_message({"a.cfg", "b.cfg"}), HasSubstr("b.cfg is one too many"));
  EXPECT_THAT(Options{}.usage_message({"no_such.cfg"}),
              AllOf(HasSubstr("no_such.cfg"), HasSubstr("No such file")));
}

TEST(Options, AWordBehindAValueIsAPatternThatTheShellHasExpanded) {
  for (const Words& words : {Words{"--data.train", "x/a.jsonl", "x/b.jsonl"},
                             Words{"--data.train", "a.jsonl.gz", "b.jsonl", "c.jsonl.gz"}}) {
    EXPECT_THAT(Options{}.usage_message(words),
                AllOf(HasSubstr("b.jsonl is not a deck. It follows --data.train "),
                      HasSubstr("put a pattern in quotes"), HasSubstr("separated by commas")));
  }
  const DeckFile deck("seed = 3\n");
  Options o;
  o.parse({"--run", "x", deck.path()});
  EXPECT_EQ(o.seed, 3);
}

TEST(Options, KeysWithoutDashesAreShownWithThem) {
  EXPECT_EQ(Options{}.usage_message({"train.learning_rate=1e-5"}),
            "train.learning_rate=1e-5 is not an option: write --train.learning_rate 1e-5.");
  EXPECT_THAT(Options{}.usage_message({"seed=3"}), HasSubstr("write --seed 3."));
  EXPECT_THAT(Options{}.usage_message({"what=3"}), HasSubstr("No such file"));
}

TEST(Options, ADashIsNoFile) {
  OptionTable table;
  std::string input, output, text;
  table.add("input", &input, {.meaning = "rows", .file = FileUse::input});
  table.add("output", &output, {.meaning = "rows", .file = FileUse::output});
  table.add("prompt", &text, {.meaning = "text"});
  const auto message = [&](const Words& words) {
    return message_of<UsageError>([&] { table.parse(words); });
  };
  EXPECT_EQ(message({"--input", "-"}),
            "--input is -, which is no file: standard input is named /dev/stdin here.");
  EXPECT_THAT(message({"--output=-"}), HasSubstr("standard output is named /dev/stdout here."));
  table.parse(Words{"--prompt", "-"});
  EXPECT_EQ(text, "-");
}

TEST(Options, TheLastValueOnTheCommandLineCounts) {
  const DeckFile deck("[data]\ntrain = x.jsonl\n");
  Options o;
  o.parse({"--seed", "many", "--data.train", "a", deck.path(), "--dry_run", "--seed=2",
           "--data.train=b,c", "--dry_run", "false"});
  EXPECT_EQ(o.seed, 2);
  EXPECT_EQ(o.train, (Words{"b", "c"}));
  EXPECT_FALSE(o.dry_run);
  const DeckFile twice("seed = 1\nseed = 2\n");
  EXPECT_THAT(Options{}.usage_message({twice.path()}), HasSubstr("seed"));
}

TEST(Options, AnEmptyArgumentIsAnError) {
  EXPECT_THAT(Options{}.usage_message({"", "--seed", "1"}),
              AllOf(HasSubstr("An argument is empty"), HasSubstr("name of a deck"),
                    HasSubstr("variable that is not set")));
  EXPECT_THAT(Options{}.usage_message({"a.cfg", ""}), HasSubstr("An argument is empty"));
  for (const std::string key : {"--run", "--data.train", "--dry_run", "--seed"}) {
    EXPECT_THAT(Options{}.usage_message({key, ""}),
                AllOf(HasSubstr(key + " is followed by an empty argument"), HasSubstr(key + "=")));
  }
}

TEST(Options, AnEmptyValueThatIsMeantClearsTheDecks) {
  const DeckFile deck("run = a\n[data]\ntrain = x.jsonl\n");
  Options o;
  o.parse({deck.path(), "--data.train=", "--run="});
  EXPECT_TRUE(o.train.empty());
  EXPECT_EQ(o.run, "");
  EXPECT_TRUE(o.table.given("data.train"));
}

TEST(Options, DeckIsReadAndTheCommandLineWins) {
  const DeckFile deck("seed = 5\n[train]\nsteps = 7\nkeep = best\n[data]\ntrain = x.jsonl\n");
  Options o;
  o.parse({deck.path(), "--train.steps", "9"});
  EXPECT_EQ(o.seed, 5);
  EXPECT_EQ(o.steps, 9);
  EXPECT_EQ(o.keep, "best");
  EXPECT_EQ(o.train, Words{"x.jsonl"});
  Options deck_last;
  deck_last.parse({"--train.steps", "9", deck.path()});
  EXPECT_EQ(deck_last.steps, 9);
}

TEST(Options, DeckErrorsNameFileAndLine) {
  const DeckFile unknown("seed = 5\n\n[train]\nstep = 7\n");
  EXPECT_THAT(Options{}.usage_message({unknown.path()}),
              AllOf(HasSubstr(unknown.path() + ":4"), HasSubstr("train.step "),
                    HasSubstr("Did you mean train.steps?")));
}

TEST(Options, WrongValueInADeckNamesFileAndLine) {
  const DeckFile wrong("[train]\n# steps\nsteps = many\n");
  EXPECT_THAT(
      Options{}.usage_message({wrong.path()}),
      AllOf(HasSubstr(wrong.path() + ":3: train.steps is 'many'"), HasSubstr("an integer")));
}

TEST(Options, RequiredKeys) {
  std::string from;
  std::string to;
  OptionTable table;
  table.add("from", &from, {.meaning = "folder to read", .required = true});
  table.add("to", &to, {.meaning = "file to write", .required = true});
  EXPECT_THAT(message_of<UsageError>([&] {
                table.parse(Words{"--to", "x"});
              }),
              AllOf(HasSubstr("--from (folder to read)"), testing::Not(HasSubstr("--to"))));
  EXPECT_THAT(message_of<UsageError>([&] {
                table.parse(Words{"--from=", "--to", "x"});
              }),
              HasSubstr("--from is ''"));
}

TEST(Options, PositionalKey) {
  std::string file;
  bool verify = false;
  OptionTable table;
  table.add("file", &file, {.meaning = "file to show", .required = true});
  table.add("verify", &verify, {.meaning = "check digests"});
  table.set_positional("file");
  table.parse(Words{"--verify", "model.h5"});
  EXPECT_EQ(file, "model.h5");
  EXPECT_TRUE(verify);
  table.parse(Words{"other.h5", "--verify", "false"});
  EXPECT_EQ(file, "other.h5");
  EXPECT_FALSE(verify);
  EXPECT_THAT(message_of<UsageError>([&] {
                table.parse(Words{"a.h5", "--file", "b.h5"});
              }),
              HasSubstr("--file is given twice"));
}

TEST(Options, PositionalListTakesSeveralWords) {
  std::vector<std::string> runs;
  bool verify = false;
  OptionTable table;
  table.add("run", &runs, {.meaning = "folders to show", .required = true});
  table.add("verify", &verify, {.meaning = "check digests"});
  table.set_positional("run");
  table.parse(Words{"a", "--verify", "b/c", "d"});
  EXPECT_EQ(runs, (std::vector<std::string>{"a", "b/c", "d"}));
  EXPECT_TRUE(verify);
  table.parse(Words{"--run", "e,f"});
  EXPECT_EQ(runs, (std::vector<std::string>{"e", "f"}));
  table.parse(Words{"g,h", "i"});
  EXPECT_EQ(runs, (std::vector<std::string>{"g,h", "i"})) << "a word is a name as it stands";
  EXPECT_THAT(message_of<UsageError>([&] {
                table.parse(Words{"a", "--run", "b"});
              }),
              HasSubstr("--run is given twice"));
}

TEST(Options, EffectiveDeckHasEveryKeyInOrder) {
  Options o;
  o.parse({"--data.train", "a,b", "--run", "x # y"});
  o.steps = 77;  // a command may set a default after parsing
  EXPECT_EQ(o.table.effective_deck(),
            "seed = 1\n"
            "run = \"x # y\"\n"
            "dry_run = false\n"
            "\n[train]\n"
            "steps = 77\n"
            "learning_rate = 6.35e-05\n"
            "beta2 = 0.999\n"
            "schedule = cosine\n"
            "keep = last\n"
            "\n[data]\n"
            "train = a,b\n"
            "skip_bad = false\n"
            "\n[ppo]\n"
            "missing_end_value = -1\n");
}

TEST(Options, TheDeckThatIsKeptLeavesOutWhatIsOfOneLaunch) {
  Options o;
  bool again = false;
  o.table.add("again.only", &again, {.meaning = "a section of its own", .launch = true});
  std::string kept = o.table.effective_deck();
  for (const std::string line : {"dry_run = false\n", "\n[again]\nonly = false\n"}) {
    const auto at = kept.find(line);
    ASSERT_NE(at, std::string::npos) << kept;
    kept.erase(at, line.size());
  }
  EXPECT_EQ(o.table.kept_deck(), kept);
}

TEST(Options, EffectiveDeckReadsBackToIdenticalValues) {
  RandomStream random(3, Purpose::testing, 0);
  for (int trial = 0; trial < 50; ++trial) {
    Options o;
    o.learning_rate = std::ldexp(random.uniform(), static_cast<int>(random.below(80)) - 60);
    o.missing_end_value =
        -std::ldexp(random.uniform(), static_cast<int>(random.below(2000)) - 1000);
    o.seed = static_cast<std::int64_t>(std::uint64_t{random.next()} << 31 | random.next());
    o.run = trial % 2 == 0 ? "" : " \"odd\" #\n";
    o.train = {"a b", "c"};
    const std::string text = o.table.effective_deck();
    const DeckFile deck(text);
    Options again;
    again.parse({deck.path()});
    EXPECT_EQ(again.learning_rate, o.learning_rate);
    EXPECT_EQ(again.missing_end_value, o.missing_end_value);
    EXPECT_EQ(again.seed, o.seed);
    EXPECT_EQ(again.run, o.run);
    EXPECT_EQ(again.train, o.train);
    EXPECT_EQ(again.table.effective_deck(), text);
    EXPECT_TRUE(deck_differences(parse_deck(text, "a"), read_deck(deck.path())).empty());
  }
}

TEST(Options, RegisteringAKeyTwiceIsAnError) {
  Options o;
  EXPECT_THAT(message_of<Error>([&] { o.table.add("seed", &o.steps, {}); }), HasSubstr("seed"));
}

TEST(Options, AnIntegerThatIsTooLargeIsNotCalledTooSmall) {
  EXPECT_THAT(Options().usage_message({"--seed", "9223372036854775808"}),
              HasSubstr("at least 0; the largest is 9223372036854775807"));
  EXPECT_THAT(Options().usage_message({"--seed", "-1"}),
              testing::Not(HasSubstr("9223372036854775807")));
  Options largest;
  largest.parse({"--seed", "9223372036854775807"});
  EXPECT_EQ(largest.seed, 9223372036854775807);
}

TEST(Options, AnItemOfAListMayHoldACommaAndSurvivesTheDeck) {
  using Items = std::vector<std::string>;
  EXPECT_EQ(list_items("a, b\\,c ,\\ d\\\\,e\\[f"), Items({"a", "b,c", " d\\", "e\\[f"}));
  EXPECT_EQ(list_items(" "), Items());
  EXPECT_EQ(list_items(",a,"), Items({"", "a", ""}));
  const Items odd = {"a,b", ",", "\\", "a\\,", " a b ", "\\\\x", "# \"q\""};
  EXPECT_EQ(list_items(list_text(odd)), odd);
  Options first;
  first.train = odd;
  const DeckFile deck(first.table.effective_deck());
  Options second;
  second.parse({deck.path()});
  EXPECT_EQ(second.train, odd);
}

}  // namespace
}  // namespace precis
