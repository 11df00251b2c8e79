// SPDX-License-Identifier: GPL-3.0-or-later

// Job type for Flamenco 3.5 or newer, Blender's render farm: bakes takes onto characters with the
// SSR-HMR add-on, one task for each take on each character. Put this file into the folder
// "scripts" beside the Manager and restart it. See docs/farm.md.

const JOB_TYPE = {
    label: "SSR-HMR Bake",
    description: "Bake takes of six trackers onto characters",
    settings: [
        { key: "takes", type: "string", required: true, visible: "submission",
          description: "Tracker .csv or .bvh files on the shared storage, separated by semicolons" },
        { key: "characters", type: "string", required: true, visible: "submission",
          eval: "bpy.data.filepath",
          description: "Characters, .blend files with their setup, separated by semicolons" },
        { key: "out", type: "string", subtype: "dir_path", required: true, visible: "submission",
          description: "Folder for the results; what is there already is not baked again" },
        { key: "write", type: "string", required: true, default: "blend", visible: "submission",
          choices: ["blend", "bvh", "blend bvh"], description: "Files to write of each take" },
        { key: "calibrate_at", type: "float", default: -1.0, visible: "submission",
          description: "Seconds after the start of each take at which the performer stands in a "
              + "T-pose; -1 uses the calibration saved with the character" },
    ],
};

function compileJob(job) {
    const settings = job.settings;
    const takes = listOf(settings.takes);
    const characters = listOf(settings.characters);
    if (!takes.length || !characters.length) {
        throw "Name at least one take and one character";
    }
    for (const character of characters) {
        for (const take of takes) {
            const args = [
                "--command", "ssrhmr_bake",
                "--takes", take,
                "--characters", character,
                "--out", settings.out,
                "--write",
            ].concat(settings.write.split(" "));
            if (settings.calibrate_at >= 0) {
                args.push("--calibrate-at", String(settings.calibrate_at));
            }
            const task = author.Task(`${path.stem(take)} on ${path.stem(character)}`, "blender");
            task.addCommand(author.Command("exec", { exe: "{blender}", args: args }));
            job.addTask(task);
        }
    }
}

function listOf(text) {
    return text.split(/[;\n]/).map((entry) => entry.trim()).filter((entry) => entry.length > 0);
}
