// `precis import`: a Hugging Face folder to a model file.
#include <fmt/format.h>

#include <string>

#include "base/text.hpp"
#include "commands/commands.hpp"
#include "model/hugging_face/folder.hpp"

namespace precis {
namespace {

struct ImportOptions {
  std::string from;
  std::string to;
};

void add_options(OptionTable& table, ImportOptions& options) {
  table.add("from", &options.from,
            {.meaning = "Hugging Face folder: config.json, *.safetensors, tokenizer files",
             .required = true,
             .file = FileUse::input});
  table.add("to", &options.to,
            {.meaning = "model file to write", .required = true, .file = FileUse::output});
}

ExitStatus run(Context& context, ImportOptions& options) {
  Device device = open_device("cpu");
  const ImportedModel imported = import_folder(device, options.from);
  const auto& [config, tokenizer, parameters] = imported.model;
  save_model(options.to, config, tokenizer, parameters, device);
  for (const std::string& note : imported.notes) {
    context.log.warning("{}", note);
  }
  fmt::print("{}: {} with {} parameters, of {} weights. Written to {}.\n", options.from,
             config.family, with_thousands(parameter_count(config)), config.source_dtype,
             options.to);
  return ExitStatus::done;
}

}  // namespace

Command import_command() {
  return make_command<ImportOptions>("import", "turn a Hugging Face folder into a model file",
                                     Mpi::no, add_options, run);
}

}  // namespace precis
