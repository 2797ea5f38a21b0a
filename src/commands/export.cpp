// `precis export`: a language model to a Hugging Face folder.
#include <fmt/format.h>

#include <string>

#include "base/text.hpp"
#include "commands/commands.hpp"
#include "model/families.hpp"

namespace precis {
namespace {

struct ExportOptions {
  std::string from;
  std::string to;
  std::string part;
};

void add_options(OptionTable& table, ExportOptions& options) {
  table.add("from", &options.from,
            {.meaning = "model file or checkpoint of a language model",
             .required = true,
             .file = FileUse::input});
  table.add("to", &options.to,
            {.meaning = "folder to write; an earlier export there is replaced",
             .required = true,
             .file = FileUse::output});
  table.add("part", &options.part,
            {.meaning = "part of a checkpoint to use; empty: its policy or only model"});
}

ExitStatus run(Context&, ExportOptions& options) {
  Device device = open_device("cpu");
  const Model model = load_model(device, options.from, {ModelKind::language}, options.part);
  export_folder(device, model, options.to);
  fmt::print("{}: {} parameters written to {}.\n", options.from,
             with_thousands(parameter_count(model.config)), options.to);
  return ExitStatus::done;
}

}  // namespace

Command export_command() {
  return make_command<ExportOptions>("export", "turn a model file into a Hugging Face folder",
                                     Mpi::no, add_options, run);
}

}  // namespace precis
