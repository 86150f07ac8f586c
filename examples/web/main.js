import { createListenerNode, openMicrophone } from 'words';

const button = document.getElementById('listen');
const label = document.getElementById('label');

button.onclick = async () => {
  button.disabled = true;
  try {
    const microphone = await openMicrophone();
    const context = new AudioContext();
    const node = await createListenerNode(context);
    node.ondetection = (heard) => { label.value = heard.label; };
    node.onerror = (error) => { label.value = error.message; };
    context.createMediaStreamSource(microphone).connect(node);
    button.textContent = 'Listening';
  } catch (error) {
    label.value = error.message;
    button.disabled = false;
  }
};
