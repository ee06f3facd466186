return Weir.Tool.Commands.CommandLine.Run(args);
