#include "data/data_options.hpp"

namespace precis {

void add_data_options(OptionTable& table, DataOptions& options, DataUse use) {
  const bool pairs = use == DataUse::reward;
  const bool trains = use == DataUse::sft || pairs;
  const std::string rows = pairs ? "comparisons" : "TL;DR or CNN/DM rows";
  const std::string names = "names or globs separated by commas (\\, for a comma within a name)";
  options.filter = use == DataUse::sft;
  options.max_response_tokens = pairs ? 128 : 48;
  if (trains) {
    table.add("data.train", &options.train,
              {.meaning = rows + " to train on, " + names, .required = true});
  }
  if (use == DataUse::ppo) {
    table.add("data.prompts", &options.prompts,
              {.meaning = rows + " whose posts are summarized, " + names, .required = true});
  }
  if (use != DataUse::rows) {
    table.add("data.valid", &options.valid,
              {.meaning = use == DataUse::ppo
                              ? rows + " whose posts are summarized in samples.jsonl now and then; "
                                       "empty: the first of data.prompts"
                              : rows + " held out for validation, " + names});
  }
  if (pairs) {
    table.add("data.train_split", &options.train_split,
              {.meaning = "train on the comparisons of this `split` only; empty: on all"});
    table.add("data.valid_split", &options.valid_split,
              {.meaning = "validate on the comparisons of this `split` only; empty: on all"});
    table.add("data.worker_weights", &options.worker_weights,
              {.meaning = "file of `precis label audit --weights`: how much the comparisons of "
                          "each worker count in the training loss, a weighted mean; a worker it "
                          "does not have is an error; empty: all count the same",
               .file = FileUse::input});
    table.add("data.exclude_workers", &options.exclude_workers,
              {.meaning = "do not train on the comparisons of these workers"});
    table.add("data.valid_excludes_workers", &options.valid_excludes_workers,
              {.meaning = "leave data.exclude_workers out of validation too, which no weights "
                          "change",
               .source = "precis"});
  }
  table.add("data.max_query_tokens", &options.max_query_tokens,
            {.unit = "tokens",
             .meaning = "longer queries are cut; prompts that are used as they are, never",
             .source = "Stiennon 2020; OpenAI's released code",
             .minimum = 1,
             .maximum = 1e9});
  if (use != DataUse::rows) {
    table.add(
        "data.max_response_tokens", &options.max_response_tokens,
        {.unit = "tokens",
         .meaning = use == DataUse::ppo
                        ? "the longest response that is generated, end token included"
                        : "rows with a longer response, end token included, are not trained on",
         .source = "Stiennon 2020; OpenAI's released code",
         .minimum = 1,
         .maximum = 1e9});
  }
  if (use != DataUse::rows) {
    table.add(
        "data.filter", &options.filter,
        {.meaning = "drop titles that begin with Edit or Update, bodies over 512 tokens" +
                    std::string(pairs ? "" : ", duplicate bodies") +
                    std::string(use == DataUse::sft ? ", summaries outside 24 to 48 tokens" : "") +
                    (trains ? "; training rows only" : ""),
         .source =
             use == DataUse::sft ? "Stiennon 2020" : "precis: off, as rows are chosen already"});
    table.add("data.subreddits", &options.subreddits,
              {.meaning = "use posts of these subreddits only; empty: of all" +
                          std::string(trains ? "; training rows only" : "")});
  }
  table.add("data.skip_bad", &options.skip_bad,
            {.meaning = "skip and count rows that cannot be read instead of stopping",
             .source = "precis"});
  if (use != DataUse::rows) {
    table.add("data.limit", &options.limit,
              {.unit = "rows",
               .meaning = "use the first rows of each set only; 0: all",
               .source = "precis",
               .maximum = 1e9});
  }
  table.add(
      "data.template", &options.query_template,
      {{"auto", QueryTemplate::automatic},
       {"tldr", QueryTemplate::tldr},
       {"cnndm", QueryTemplate::cnndm},
       {"transfer", QueryTemplate::transfer}},
      {.meaning = "how a query is written; auto: tldr for posts, cnndm for articles; transfer: "
                  "an article for a TL;DR policy",
       .source = "OpenAI's released code"});
  add_begin_option(table, options.begin);
}

void add_begin_option(OptionTable& table, BeginToken& begin) {
  table.add(
      "data.bos", &begin,
      {{"auto", BeginToken::automatic}, {"true", BeginToken::yes}, {"false", BeginToken::no}},
      {.meaning = "whether a begin token goes before a text that something follows; it counts for "
                  "data.max_query_tokens; auto: as the tokenizer's post_processor has it",
       .source = "huggingface/tokenizers"});
}

Tokenizer with_begin_token(const Tokenizer& tokenizer, BeginToken begin, const std::string& where) {
  const bool has = !tokenizer.begin().empty();
  if (begin == BeginToken::no && has) {
    return tokenizer.with_begin({});
  }
  if (begin != BeginToken::yes || has) {
    return tokenizer;
  }
  const auto token = tokenizer.begin_token();
  require(token.has_value(),
          "data.bos is true, but {} has no begin token: its tokenizer's post_processor adds none, "
          "and no `bos_token_id` was imported. Leave data.bos out, or import the model with one.",
          where);
  return tokenizer.with_begin({*token});
}

}  // namespace precis
